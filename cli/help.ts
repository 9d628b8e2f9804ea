import type { Option, OptionTable } from "./parser.ts";

/** The lines of a help text that list options, each with its help from the same column on. */
export function formatOptions(table: OptionTable): string {
  const rows = Object.entries<Option>(table).map(([name, { short, value, help }]) => ({
    left: `  ${short === undefined ? "    " : `-${short}, `}--${name}${
      value === undefined ? "" : ` ${value}`
    }`,
    help,
  }));
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  return rows.map(({ left, help }) => left.padEnd(width) + help.replaceAll("\n", "\n" + " ".repeat(width)))
    .join("\n");
}
