/** The console in Hebrew. What is missing here is shown in English. */

export const hebrew: Readonly<Record<string, string>> = {};
