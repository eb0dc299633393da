// Versions of the programs underneath that have known holes. A distribution may have closed them in an older version:
// so these are warnings.
import { compareVersions, isAtLeast } from "../../base/version.ts";
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
    holes: "GHSA-jx8g-9g95-6322, GHSA-38x3-76xf-cq45, GHSA-9983-vrx2-fg9c: permissions can be bypassed",
    hint: "update nats-server, or let only fully trusted machines connect to it",
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
  if (isFixed(version, fixed)) return [];
  return [warning(`${program} version`, `${version} has known holes (${holes})`, hint)];
}

/** A newer series than all that got a fix has it from its beginning; one between them that got none has it never. */
function isFixed(version: string, fixed: readonly string[]): boolean {
  const own = fixed.find((each) => seriesOf(each) === seriesOf(version));
  if (own !== undefined) return isAtLeast(version, own);
  return fixed.every((each) => compareVersions(version, each) > 0);
}

const seriesOf = (version: string): string | undefined => /\d+\.\d+/.exec(version)?.[0];
