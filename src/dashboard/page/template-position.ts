// Where the values of a template stand. Escaped text is safe between tags and in quoted attributes. It is not safe as an
// attribute without quotes, as a part of a tag's name, in a comment, or in a script.

type Position = "text" | "tag" | "double" | "single";

/**
 * @throws TypeError for a value that stands inside a tag without quotes, for an event handler or a style attribute, and
 *   for a script, a style or a comment, whatever is in it
 */
export function refuseUnsafePlaces(strings: readonly string[]): void {
  let position: Position = "text";
  strings.forEach((piece, index) => {
    if (/<script(?! src=")|<style|<!--|\s(?:on\w+|style)\s*=/i.test(piece)) {
      throw new TypeError(`a template must not have this: ${piece.slice(0, 80)}`);
    }
    for (const character of piece) position = after(position, character);
    if (position === "tag" && index < strings.length - 1) {
      throw new TypeError(`a value is in a tag without quotes, after ${piece.slice(-40)}`);
    }
  });
  if (position !== "text") throw new TypeError(`a template ends inside a tag: ${strings.at(-1)?.slice(-40)}`);
}

function after(position: Position, character: string): Position {
  switch (position) {
    case "text":
      return character === "<" ? "tag" : "text";
    case "tag":
      if (character === '"') return "double";
      if (character === "'") return "single";
      return character === ">" ? "text" : "tag";
    case "double":
      return character === '"' ? "tag" : "double";
    case "single":
      return character === "'" ? "tag" : "single";
  }
}
