/** Elements without innerHTML, so that the strictest host policy (trusted types) has nothing to object to. */

const SVG = "http://www.w3.org/2000/svg";

type Attributes = Record<string, string>;

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  return dressed(document.createElement(name), attributes, children);
}

export function icon(className: string, path: string): SVGElement {
  const shape = dressed(document.createElementNS(SVG, "path"), { d: path }, []);
  return dressed(document.createElementNS(SVG, "svg"), { viewBox: "0 0 24 24", class: className, "aria-hidden": "true" }, [shape]);
}

/** A constructed sheet isn't bound by the host's style-src; Safari before 16.4 has none and gets an element. */
export function style(root: ShadowRoot, css: string): void {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
  } catch {
    root.append(element("style", {}, css));
  }
}

function dressed<E extends Element>(made: E, attributes: Attributes, children: (Node | string)[]): E {
  for (const name in attributes) made.setAttribute(name, attributes[name] ?? "");
  made.append(...children);
  return made;
}
