/** The merchant's colour, and the ink that can be read on it. Pure. */

const DEFAULT = "#4f46e5";

export interface Paint {
  readonly colour: string;
  readonly ink: string;
}

/** Anything but #rrggbb is passed over, so that no text from a page ends up in a style. */
export function paint(wanted: string | null | undefined): Paint {
  const colour = /^#[0-9a-f]{6}$/i.test(wanted ?? "") ? (wanted as string) : DEFAULT;
  return { colour, ink: luminance(colour) > 0.179 ? "#000000" : "#ffffff" };
}

/** Relative luminance as WCAG defines it; at 0.179 white and black ink have the same contrast, 4.58. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
