/** What the server answers when it won't do something. */

export class Refused extends Error {
  readonly code: string;
  readonly retry: boolean;
  readonly field: string | undefined;

  constructor(code: string, retry: boolean, message: string, field?: string) {
    super(message);
    this.name = "Refused";
    this.code = code;
    this.retry = retry;
    this.field = field;
  }
}

/** Thrown by a `token` function to say that coming back makes no sense: logged out, or access taken away. */
export class SessionEnded extends Error {}
