import type { Source } from "../protocol/events.ts";

/** `nixos@1a2b3c4`, and with overrides `nixos@1a2b3c4 with servers@5d6e7f8`, by the input's name. */
export function sourceText({ repo, commit, overrides = [] }: Source): string {
  const others = overrides.map((override) => `${override.input}@${override.commit.slice(0, 7)}`);
  return `${repo}@${commit.slice(0, 7)}${others.length === 0 ? "" : ` with ${others.join(" and ")}`}`;
}
