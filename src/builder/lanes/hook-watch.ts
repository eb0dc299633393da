// What Nix's `post-build-hook` did in one Nix process. Nix runs it behind each build, and when it fails Nix ends at once:
// with one message that names no derivation, and with an output that is valid all the same. Nix 2.8 to 2.34 do it alike.
import type { NixActivity, NixMessage } from "../../nix/realiser.ts";
import type { StorePath } from "../../protocol/names.ts";

/** A hook that did not end well. */
export interface BrokenHook {
  readonly drvPath: StorePath;
  /** One line: `/etc/nix/upload failed with exit code 1`. */
  readonly reason: string;
  /** The last that it printed. */
  readonly lines: readonly string[];
}

export interface HookWatch {
  take(activity: NixActivity): void;
  /** Whether the derivation's hook runs, or has ended without a sign that Nix continued behind it. */
  isUndecided(drvPath: StorePath): boolean;
  /** Derivations whose hook has ended well. */
  succeeded(): ReadonlySet<StorePath>;
  /** The hooks that failed, after Nix ended with these messages of its own. */
  broken(end: HookEnd): readonly BrokenHook[];
}

export type HookEnd =
  | {
      readonly type: "exited";
      readonly exitCode: number | undefined;
      readonly messages: readonly NixMessage[];
    }
  /** We ended Nix, for this reason. */
  | { readonly type: "stopped"; readonly reason: string };

interface SeenHook {
  readonly lines: string[];
  readonly stopped: boolean;
}

const keptLines = 20;
const keptLineLength = 1000;
const linePrefix = "post-build-hook: ";

/**
 * A hook is known to have succeeded when Nix did anything else behind its end: it counts the derivation as done. Behind
 * one that failed, Nix only ends its other activities and says its last error.
 */
export function createHookWatch(): HookWatch {
  const undecided = new Map<StorePath, SeenHook>();
  const succeeded = new Set<StorePath>();

  function confirm(isConfirmed: (hook: SeenHook) => boolean): void {
    for (const [drvPath, hook] of undecided) {
      if (!isConfirmed(hook)) continue;
      undecided.delete(drvPath);
      succeeded.add(drvPath);
    }
  }
  const confirmStopped = (): void => confirm(({ stopped }) => stopped);

  return {
    take(activity) {
      switch (activity.type) {
        case "derivation-stopped":
        case "message":
        // Said when Nix ends its other activities, too.
        case "waiting":
          return;
        case "hook-started":
          confirmStopped();
          succeeded.delete(activity.drvPath);
          undecided.set(activity.drvPath, { lines: [], stopped: false });
          return;
        case "hook-stopped": {
          const hook = undecided.get(activity.drvPath);
          if (hook === undefined) return;
          // In the order of stopping.
          undecided.delete(activity.drvPath);
          undecided.set(activity.drvPath, { ...hook, stopped: true });
          return;
        }
        case "log-lines": {
          const hook = undecided.get(activity.drvPath);
          if (hook === undefined || hook.stopped) break;
          const lines = activity.lines.filter((line) => line.startsWith(linePrefix)).slice(-keptLines);
          for (const line of lines) {
            hook.lines.push(line.slice(linePrefix.length, linePrefix.length + keptLineLength));
            if (hook.lines.length > keptLines) hook.lines.shift();
          }
          break;
        }
        case "derivation-planned":
        case "derivation-started":
        case "phase":
        case "build-counts":
        case "fetch-counts":
        case "transferred":
          break;
      }
      confirmStopped();
    },
    isUndecided: (drvPath) => undecided.has(drvPath),
    succeeded: () => succeeded,
    broken(end) {
      if (end.type === "exited" && end.exitCode === 0) confirm(() => true);
      // Where several run at once, the one that failed is the first that stops, and takes the others with it.
      const hooks = [...undecided].toSorted(
        ([, one], [, other]) => Number(other.stopped) - Number(one.stopped),
      );
      return hooks.map(([drvPath, { lines, stopped }], index) => ({
        drvPath,
        lines,
        reason: end.type === "stopped" ? end.reason : exitReason(end.messages, index === 0 && stopped),
      }));
    },
  };
}

function exitReason(messages: readonly NixMessage[], isFirst: boolean): string {
  if (!isFirst) return "it was interrupted when Nix ended";
  for (const { text } of messages.toReversed()) {
    const { program, how } = programFailed.exec(text)?.groups ?? {};
    if (program !== undefined && how !== undefined) return `${program} ${how}`;
  }
  return "Nix ended behind it without continuing";
}

/** 2.8: `program '/hook' failed with exit code 1`; 2.34 quotes it otherwise. */
const programFailed =
  /^error: program ['"](?<program>[^\n]{1,500})['"] (?<how>(?:failed|killed|died|exited|terminated)[^\n]{0,200})/;
