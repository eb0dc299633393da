/**
 * What changed of a flake's inputs between two commits, as a sentence without a full stop.
 *
 * @param inputs their names, text from outside; undefined where nobody knows
 * @param between `a1b2c3d and e4f5a6b`
 */
export function changedInputsSentence(inputs: readonly string[] | undefined, between?: string): string {
  const where = between === undefined ? "in between" : `between ${between}`;
  if (inputs === undefined) return `which inputs changed ${where} is not known`;
  if (inputs.length === 0) return `no input changed ${where}`;
  return `${inputs.join(", ")} changed ${where}`;
}
