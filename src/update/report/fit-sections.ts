/** A part of a text under a heading. Its pieces can be left out from the end. */
export interface Section {
  readonly title: string;
  /** Stands before the pieces, and with none of them it is left out too: the head of a table. */
  readonly head?: string;
  readonly pieces: readonly string[];
  /** Between pieces: a blank line, or for the rows of a table only the end of the line. */
  readonly between: "\n\n" | "\n";
}

/** Kept free for the note about what was left out. */
const noteBytes = 400;

/**
 * The opening and as many sections as fit into so many bytes of UTF-8. What does not fit is left out from the bottom:
 * after the first piece that does not, nothing follows but a note that says what is missing.
 *
 * @param limitBytes the opening always comes; it must be well below
 */
export function fitSections(opening: string, sections: readonly Section[], limitBytes: number): string {
  const shown = sections.filter(({ pieces }) => pieces.length > 0);
  const whole = `${[opening, ...shown.map(printSection)].join("\n\n")}\n`;
  if (Buffer.byteLength(whole) <= limitBytes) return whole;

  let text = opening;
  const missing: string[] = [];
  for (const section of shown) {
    const fitting =
      missing.length > 0 ? 0 : piecesThatFit(section, limitBytes - noteBytes - Buffer.byteLength(text) - 2);
    if (fitting > 0) text += `\n\n${printSection({ ...section, pieces: section.pieces.slice(0, fitting) })}`;
    if (fitting === section.pieces.length) continue;
    const part = fitting === 0 ? "" : ` (${section.pieces.length - fitting} of ${section.pieces.length})`;
    missing.push(`${section.title}${part}`);
  }
  return `${text}\n\nLeft out because it is too long: ${missing.join(", ")}.\n`;
}

function printSection({ title, head, pieces, between }: Section): string {
  const content = head === undefined ? pieces.join(between) : [head, ...pieces].join(between);
  return `## ${title}\n\n${content}`;
}

function piecesThatFit(section: Section, bytes: number): number {
  let left = bytes - Buffer.byteLength(printSection({ ...section, pieces: [] })) - section.between.length;
  let count = 0;
  for (const piece of section.pieces) {
    left -= Buffer.byteLength(piece) + section.between.length;
    if (left < 0) break;
    count++;
  }
  return count;
}
