import { escapeText } from "../../failure.ts";

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Any text as it may stand in an element or a quoted attribute of HTML or SVG. What could reorder or hide other text is
 * shown as in the text report: `\u202e`.
 */
export function markup(text: string): string {
  // XML has no place for these two, nor for half a surrogate pair.
  const wellFormed = escapeText(text).toWellFormed().replaceAll(/[\ufffe\uffff]/g, "\ufffd");
  return wellFormed.replaceAll(/[&<>"']/g, (char) => ENTITIES[char]!);
}
