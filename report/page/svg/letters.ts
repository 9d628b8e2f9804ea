/**
 * How wide text will be: an estimate on the wide side, since the reader's font is not known. DejaVu Sans, the system's on
 * many Linux machines, is as wide as this.
 */

/** Widths in parts of the font's size. */
const NARROW = 0.4;
const USUAL = 0.64;
const CAPITAL = 0.78;
const WIDE = 1;
/** Of East Asian characters and pictures. */
const FULL = 1.1;

/** @param size of the font. */
export function textWidth(text: string, size: number): number {
  let width = 0;
  for (const char of text) {
    if (char > "\u2e7f") width += FULL;
    else if (/[ .,:;'|!()[\]fijlt/]/.test(char)) width += NARROW;
    else if (/[mwMW@%—…−+<>=~]/.test(char)) width += WIDE;
    else width += /[A-Z]/.test(char) ? CAPITAL : USUAL;
  }
  return width * size;
}

/** Text cut to a width, with an ellipsis where something is missing. */
export function cutText(text: string, width: number, size: number): string {
  if (textWidth(text, size) <= width) return text;
  const chars = [...text];
  let kept = 0;
  let used = textWidth("…", size);
  for (const char of chars) {
    used += textWidth(char, size);
    if (used > width) break;
    kept++;
  }
  return `${chars.slice(0, kept).join("").trimEnd()}…`;
}

/** Text as lines of at most this width; what does not fit into this many lines is cut. */
export function wrapText(text: string, width: number, size: number, lines: number): string[] {
  const wrapped: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || wrapped.length === lines - 1 || textWidth(longer, size) <= width) line = longer;
    else {
      wrapped.push(line);
      line = word;
    }
  }
  wrapped.push(line);
  return wrapped.map((it) => cutText(it, width, size));
}
