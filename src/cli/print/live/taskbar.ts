// Progress in the tab or the taskbar, by OSC 9;4: 1 is a share in per cent, 2 the same where something failed, 3 is
// unknown, 0 takes it away. https://conemu.github.io/en/AnsiEscapeCodes.html#ConEmu_specific_OSC
import type { Environment } from "../../../base/environment.ts";
import { isSuccess } from "../../../protocol/verdicts.ts";
import type { TextOutput } from "../renderer.ts";
import type { BuildView } from "./build-view.ts";

/** Others take OSC 9 for a notification: old iTerm2 pops one up for each. */
export const showsTaskbar = (environment: Environment): boolean =>
  (environment["WT_SESSION"] ?? "") !== "" ||
  environment["ConEmuANSI"] === "ON" ||
  ["WezTerm", "ghostty"].includes(environment["TERM_PROGRAM"] ?? "");

export interface Taskbar {
  show(view: BuildView): void;
  clear(): void;
}

export function createTaskbar(output: TextOutput): Taskbar {
  let shown = "0";
  const write = (state: string): void => {
    if (state === shown) return;
    shown = state;
    output.write(`\u001b]9;4;${state}\u001b\\`);
  };
  return {
    show: (view) => write(stateOf(view)),
    clear: () => write("0"),
  };
}

/** A host counts for as much as of it is built. */
function stateOf({ state, hostProgress }: BuildView): string {
  if (state.hosts.size === 0) return "3";
  let share = 0;
  let failed = false;
  for (const [name, { finished }] of state.hosts) {
    failed ||= finished !== undefined && !isSuccess(finished.verdict);
    const { built = 0, toBuild = 0 } = hostProgress.get(name) ?? {};
    share += finished !== undefined ? 1 : toBuild > 0 ? Math.min(1, built / toBuild) : 0;
  }
  return `${failed ? 2 : 1};${Math.floor((100 * share) / state.hosts.size)}`;
}
