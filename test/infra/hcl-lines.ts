// On which line each block, attribute and element of an HCL file begins. hcl2json parses values and gives no
// positions, so this reads only the structure (brackets, strings, comments, line ends) and names everything by the
// path that it has in the JSON of hcl2json: `resource.proxmox_virtual_environment_vm.this[0].lifecycle[0]`.

export type Step = string | number;
export type Path = readonly Step[];

/** Lines by path, the first line is 1. More than one line: the same name is given twice. */
export type Lines = ReadonlyMap<string, readonly number[]>;

export const keyOf = (path: Path): string => JSON.stringify(path);

/** @param text must be valid: what hcl2json refuses leads to wrong lines or an error here. */
export function linesOf(text: string): Lines {
  const reader = createReader(text);
  const lines = new Map<string, number[]>();
  const note = (path: Path, line: number): void => {
    const known = lines.get(keyOf(path));
    if (known === undefined) lines.set(keyOf(path), [line]);
    else known.push(line);
  };

  function readBody(path: Path, isTop: boolean): void {
    const counts = new Map<string, number>();
    for (;;) {
      reader.skipBlank();
      if (reader.ended() || (!isTop && reader.take("}"))) return;
      const line = reader.line();
      const name = reader.word();
      reader.skipSpace();
      if (reader.take("=")) {
        note([...path, name], line);
        readExpression([...path, name]);
        continue;
      }
      const labels = [name];
      while (!reader.take("{")) {
        labels.push(reader.word());
        reader.skipSpace();
      }
      const block = [...path, ...labels];
      const index = counts.get(keyOf(block)) ?? 0;
      counts.set(keyOf(block), index + 1);
      note([...block, index], line);
      readBody([...block, index], false);
    }
  }

  function readExpression(path: Path): void {
    reader.skipSpace();
    if (reader.follows("{") && !reader.follows(/\{\s*for\b/y)) readObject(path);
    else if (reader.follows("[") && !reader.follows(/\[\s*for\b/y)) readTuple(path);
    // What is left of the expression: all of it, or an operator behind a literal.
    reader.skipExpression();
  }

  function readObject(path: Path): void {
    reader.take("{");
    for (;;) {
      reader.skipBlank();
      if (reader.take(",")) continue;
      if (reader.take("}") || reader.ended()) return;
      const line = reader.line();
      const name = reader.follows("(") ? reader.bracketed() : reader.word();
      reader.skipSpace();
      if (!reader.take("=") && !reader.take(":")) throw new Error(`line ${line}: an object without a value`);
      note([...path, name], line);
      readExpression([...path, name]);
    }
  }

  function readTuple(path: Path): void {
    reader.take("[");
    for (let index = 0; ; index++) {
      reader.skipBlank();
      if (reader.take(",")) reader.skipBlank();
      if (reader.take("]") || reader.ended()) return;
      note([...path, index], reader.line());
      readExpression([...path, index]);
    }
  }

  readBody([], true);
  return lines;
}

/** What the structure is made of. */
function createReader(text: string) {
  let at = 0;

  function follows(what: string | RegExp): boolean {
    if (typeof what === "string") return text.startsWith(what, at);
    what.lastIndex = at;
    return what.test(text);
  }
  function take(what: string): boolean {
    const found = text.startsWith(what, at);
    if (found) at += what.length;
    return found;
  }
  /** @param pattern sticky */
  function skip(pattern: RegExp): void {
    pattern.lastIndex = at;
    at += pattern.exec(text)?.[0].length ?? 0;
  }
  const skipComment = (): void => skip(/(?:#|\/\/)[^\n]*|\/\*[\s\S]*?\*\//y);
  const isComment = (): boolean => follows("#") || follows("//") || follows("/*");

  function skipBlank(): void {
    for (let before = -1; before !== at;) {
      before = at;
      skip(/\s+/y);
      skipComment();
    }
  }

  /** A text in quotes with what is between `${` and `}`, in which there may be texts again. */
  function skipText(): void {
    at++;
    while (at < text.length && !take('"')) {
      if (take("\\")) at++;
      else if (take("$${") || take("%%{")) continue;
      else if (follows("${") || follows("%{")) {
        at++;
        skipBracketed();
      } else at++;
    }
  }

  function skipHeredoc(): boolean {
    const start = /<<-?(?<marker>\w+)\n/y;
    start.lastIndex = at;
    const marker = start.exec(text)?.groups?.["marker"];
    if (marker === undefined) return false;
    const end = new RegExp(`^[ \\t]*${marker}[ \\t]*$`, "gm");
    end.lastIndex = start.lastIndex;
    const found = end.exec(text);
    at = found === null ? text.length : end.lastIndex;
    return true;
  }

  /** One token of an expression, with all that is inside when it is a bracket. */
  function skipToken(): void {
    if (isComment()) skipComment();
    else if (follows('"')) skipText();
    else if (follows(/[([{]/y)) skipBracketed();
    else if (!skipHeredoc()) at++;
  }

  function skipBracketed(): void {
    at++;
    while (at < text.length && !follows(/[)\]}]/y)) skipToken();
    at++;
  }

  return {
    follows,
    take,
    skipBlank,
    skipSpace: () => skip(/[ \t]+/y),
    ended: () => at >= text.length,
    line: () => text.slice(0, at).split("\n").length,
    /** A name with or without quotes. */
    word(): string {
      const start = at;
      if (follows('"')) {
        skipText();
        return text.slice(start + 1, at - 1);
      }
      skip(/[^\s={}":,]+/y);
      if (at === start) throw new Error(`line ${text.slice(0, at).split("\n").length}: no name`);
      return text.slice(start, at);
    },
    bracketed(): string {
      const start = at;
      skipBracketed();
      return text.slice(start, at);
    },
    /** To the comma, closing bracket or line end behind it. */
    skipExpression(): void {
      while (at < text.length && !follows(/[\n,)\]}]/y)) skipToken();
    },
  };
}
