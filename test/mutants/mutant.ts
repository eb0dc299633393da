/** A bug that a tired engineer could write: the text of one source file with one place changed. */
export interface Mutant {
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
  /** What would be wrong then. */
  readonly why: string;
}

/** @throws RangeError for a mutant that does not apply: the sources have changed under it. */
export function plant(source: string, { file, from, to }: Mutant): string {
  const places = source.split(from).length - 1;
  if (places === 1 && from !== to) return source.replace(from, () => to);
  throw new RangeError(`a mutant does not apply to ${file}: ${places} places have ${JSON.stringify(from)}`);
}
