// The classes of hosts in plain words; programs read the names.
import type { HostClass } from "./decide-classes.ts";

interface ClassWords {
  readonly one: string;
  readonly many: string;
}

const words: Readonly<Record<HostClass, ClassWords>> = {
  ok: { one: "builds", many: "build" },
  unchanged: { one: "is unchanged", many: "are unchanged" },
  fixed: { one: "builds again", many: "build again" },
  regression: { one: "no longer builds", many: "no longer build" },
  "eval-error": { one: "no longer evaluates", many: "no longer evaluate" },
  "pre-existing": { one: "did not build before either", many: "did not build before either" },
  "missing-host": { one: "is no longer in the flake", many: "are no longer in the flake" },
  infra: { one: "has no verdict", many: "have no verdict" },
};

/** `no longer builds`, behind the name of a host, or behind how many they are. */
export const classWords = (hostClass: HostClass, count = 1): string =>
  count === 1 ? words[hostClass].one : words[hostClass].many;

/** `2 no longer build`; of a name that this release does not know, `2 name`. */
export const countWords = (name: string, count: number): string =>
  `${count} ${isHostClass(name) ? classWords(name, count) : name}`;

const isHostClass = (name: string): name is HostClass => Object.hasOwn(words, name);
