// Reports of updates, for tests of what people read of them.
import { parseBranchName, parseCommit, parseRepoName } from "../../src/protocol/names.ts";
import type { UpdateReport } from "../../src/update/report/report.ts";

const commit = (digit: string) => parseCommit(digit.repeat(40));

/** A report with something under each heading. */
export const reportOf = (changed: Partial<UpdateReport> = {}): UpdateReport => {
  return {
    v: 1,
    run: "01J00000000000000000000000",
    repo: parseRepoName("nixos"),
    branch: parseBranchName("master"),
    base: commit("a"),
    candidate: commit("b"),
    updateBranch: parseBranchName("flake-update/2026-11-23"),
    verdict: "1 of 3 hosts does not build any more",
    inputs: [
      {
        path: ["nixpkgs"],
        before: {
          type: "github",
          source: "github:NixOS/nixpkgs",
          rev: commit("c"),
          lastModified: 1_790_000_000,
        },
        after: {
          type: "github",
          source: "github:NixOS/nixpkgs",
          rev: commit("d"),
          lastModified: 1_795_000_000,
        },
        downgraded: false,
        compareUrl: `https://github.com/NixOS/nixpkgs/compare/${commit("c")}...${commit("d")}`,
      },
    ],
    hosts: [
      {
        host: "db",
        class: "ok",
        durationMs: 61_000,
        closureSize: 97 * 1024 * 1024,
        sizeDelta: -3 * 1024 * 1024,
        reboot: ["kernel"],
      },
      { host: "web", class: "regression", reboot: [], message: "openssl-3.0.14 failed" },
      { host: "nas", class: "unchanged", reboot: [] },
    ],
    failures: [
      {
        name: "openssl-3.0.14",
        drvPath: "/nix/store/00000000000000000000000000000000-openssl-3.0.14.drv",
        hosts: ["web"],
        phase: "checkPhase",
        reason: "builder failed with exit code 2",
        tail: "running tests\nE: 1 failed\n",
        attachment: "web-openssl-3.0.14-00000000.log.gz",
      },
    ],
    unavailable: [
      {
        input: "old-lib",
        kind: "unavailable",
        reason: "the flake's input old-lib cannot be updated: HTTP error 503",
        runs: 1,
      },
    ],
    registry: [],
    culprits: [["nixpkgs"]],
    bisected: [
      {
        input: "nixpkgs",
        firstBad: {
          rev: commit("d"),
          date: "2026-11-18T09:00:00.000Z",
          subject: "openssl: 3.0.13 -> 3.0.14",
        },
        lastGood: commit("e"),
        compareUrl: `https://github.com/NixOS/nixpkgs/compare/${commit("e")}...${commit("d")}`,
        probes: 9,
        skipped: 0,
      },
    ],
    packages: [{ name: "openssl", removed: ["3.0.13"], added: ["3.0.14"], hosts: ["db", "web", "nas"] }],
    notCompared: [],
    warnings: [{ text: "option foo is deprecated", hosts: ["db"] }],
    review: [],
    redactions: 0,
    ...changed,
  };
};
