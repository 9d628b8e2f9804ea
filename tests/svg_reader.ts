/** Reads an SVG back: its elements, if it is well-formed XML, and the points of its paths. */

export interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

const NAME = /[a-zA-Z][\w:-]*/.source;
const TOKEN = new RegExp(
  `<(?<end>/)?(?<name>${NAME})(?<attributes>(?:\\s+${NAME}="[^"<]*")*)\\s*(?<empty>/)?>|(?<text>[^<]+)`,
  "y",
);
const ATTRIBUTE = new RegExp(`(${NAME})="([^"]*)"`, "g");
/** What XML 1.0 forbids, and the characters that reorder others. */
const FORBIDDEN = /(?![\n\t])\p{Cc}|\p{Cs}|[\ufffe\uffff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** The elements at the top of well-formed XML; throws for what is not. */
export function readElements(xml: string): Element[] {
  const root: Element = { name: "", attributes: {}, children: [], text: "" };
  const open = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < xml.length) {
    const start = TOKEN.lastIndex;
    const token = TOKEN.exec(xml)?.groups;
    if (token === undefined) throw new Error(`not XML from here: ${xml.slice(start, start + 80)}`);
    const inner = open.at(-1)!;
    if (token.text !== undefined) inner.text += decoded(token.text);
    else if (token.end !== undefined) {
      if (open.length < 2 || inner.name !== token.name) {
        throw new Error(`</${token.name}> ends ${inner.name}`);
      }
      open.pop();
    } else {
      const element = {
        name: token.name!,
        attributes: attributesOf(token.attributes!),
        children: [],
        text: "",
      };
      inner.children.push(element);
      if (token.empty === undefined) open.push(element);
    }
  }
  if (open.length > 1) throw new Error(`no end of ${open.at(-1)!.name}`);
  return root.children;
}

function attributesOf(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(ATTRIBUTE)) {
    if (Object.hasOwn(attributes, name!)) throw new Error(`${name} is given twice`);
    attributes[name!] = decoded(value!);
  }
  return attributes;
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

function decoded(text: string): string {
  if (FORBIDDEN.test(text)) throw new Error(`a character that is forbidden: ${JSON.stringify(text)}`);
  return text.replaceAll(/&([^;\s]*);?/g, (whole, name) => {
    const char = whole.endsWith(";") ? ENTITIES[name] : undefined;
    if (char === undefined) throw new Error(`not an entity: ${whole}`);
    return char;
  });
}

/** All elements beneath some, themselves included. */
export function* everyElement(elements: Element[]): Generator<Element> {
  for (const element of elements) {
    yield element;
    yield* everyElement(element.children);
  }
}

/** A part of a path that the pen draws at once. */
export type Subpath = [x: number, y: number][];

/** The subpaths of a path's data in absolute coordinates; throws for a command that is not among m, l, h, v and z. */
export function readPath(data: string): Subpath[] {
  const subpaths: Subpath[] = [];
  let [x, y] = [0, 0];
  for (const [, command, rest] of data.matchAll(/([a-zA-Z])([^a-zA-Z]*)/g)) {
    const numbers = (rest!.match(/-?(?:\d+\.?\d*|\.\d+)/g) ?? []).map(Number);
    switch (command) {
      case "m":
        [x, y] = [x + numbers[0]!, y + numbers[1]!];
        subpaths.push([[x, y]]);
        continue;
      case "l":
        [x, y] = [x + numbers[0]!, y + numbers[1]!];
        break;
      case "h":
        x += numbers[0]!;
        break;
      case "v":
        y += numbers[0]!;
        break;
      case "z":
        [x, y] = subpaths.at(-1)![0]!;
        break;
      default:
        throw new Error(`no such command: ${command}`);
    }
    subpaths.at(-1)!.push([x, y]);
  }
  return subpaths;
}
