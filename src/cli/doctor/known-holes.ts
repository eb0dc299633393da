// Versions of the programs underneath that have known holes. A distribution may have closed them in an older version:
// so these are warnings.
import { warning, type Finding } from "./finding.ts";

interface Gate {
  /** The first version without the holes, for each series that got one: `2.28.7` for 2.28. */
  readonly fixed: readonly string[];
  readonly holes: string;
  readonly hint: string;
}

const gates = {
  Nix: {
    fixed: ["2.28.7", "2.29.4", "2.30.5", "2.31.5", "2.32.8", "2.33.6", "2.34.7"],
    holes: "CVE-2026-44028, CVE-2026-44029, CVE-2026-39860: a build can become root",
    hint: "update Nix, or ask your distribution whether it has closed these in this version",
  },
  Lix: {
    fixed: ["2.93.4", "2.94.2", "2.95.2"],
    holes: "CVE-2026-44028, CVE-2026-44029: a build can become root",
    hint: "update Lix",
  },
  "nats-server": {
    fixed: ["2.11.16", "2.12.7", "2.14.0"],
    holes: "GHSA-jx8g-9g95-6322, GHSA-38x3-76xf-cq45, GHSA-9983-vrx2-fg9c: rights can be got round",
    hint: "update nats-server, or let only those reach it whom you trust with everything on it",
  },
  git: {
    fixed: ["2.45.1"],
    holes: "CVE-2024-32021 and others of May 2024: a hostile repository can run programs",
    hint: "update git, or ask your distribution whether it has closed these in this version",
  },
} as const satisfies Readonly<Record<string, Gate>>;

export type GatedProgram = keyof typeof gates;

/** @param version `2.28.3`, also with words behind; one without numbers has a finding too */
export function checkVersion(program: GatedProgram, version: string): readonly Finding[] {
  const { fixed, holes, hint } = gates[program];
  if (isFixed(numbersOf(version), fixed.map(numbersOf))) return [];
  return [warning(`${program} version`, `${version} has known holes (${holes})`, hint)];
}

/** A newer series than all that got a fix has it from its beginning; one between them that got none has it never. */
function isFixed(version: readonly number[], fixed: readonly (readonly number[])[]): boolean {
  const own = fixed.find((each) => each[0] === version[0] && each[1] === version[1]);
  if (own !== undefined) return compare(version, own) >= 0;
  return fixed.every((each) => compare(version, each) > 0);
}

const numbersOf = (version: string): readonly number[] =>
  (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
