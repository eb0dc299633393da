// Shows one build while it runs, and what happened to it. `createRenderer` (create-renderer.ts) makes one.
import type { Clock } from "../../base/clock.ts";
import type { BuildMessage } from "../../bus/bus.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import type { BuildId, FullHostName } from "../../protocol/names.ts";
import type { Style } from "./style.ts";

export interface BuildRenderer {
  /** Before the first message. */
  start(build: BuildId): void;
  message(message: BuildMessage): void;
  /** One line of the program's own, such as what Ctrl-C did. Safe while a live view is on the screen. */
  notice(line: string): void;
  /** The terminal has another size. */
  resize(): void;
  /** The end of the build, or of our watching it: prints the summary. Nothing may be called after it. */
  finish(state: BuildState): void;
  /** Only of a renderer that draws on the terminal: gives it back for a while, and takes it again. */
  readonly terminal?: {
    leave(): void;
    enter(): void;
    /** Marks the next host below or above; the first one where none is marked. */
    select(step: 1 | -1): void;
    selected(): FullHostName | undefined;
  };
  /**
   * Leaves the terminal as it was found and draws nothing more; notices and the summary may still follow. May be
   * called at any time, and twice.
   */
  interrupted(): void;
}

/** What a renderer needs of `process.stdout` and `process.stderr`. */
export interface TextOutput {
  write(text: string): unknown;
  /** The number of columns of the terminal, if it is one; read again for every frame. */
  readonly columns?: number;
  readonly rows?: number;
  readonly isTTY?: boolean;
}

export type Detail = "quiet" | "verbose";

export interface RendererOptions {
  /** Results: the summary; every line of `jsonl` and `github`. */
  readonly out: TextOutput;
  /** Talk: the live view, the lines of `plain`. */
  readonly err: TextOutput;
  readonly outStyle: Style;
  readonly errStyle: Style;
  readonly clock: Clock;
  /** `-q`: nothing while it runs, but for what the program has to say about itself. `-v`: each derivation that starts. */
  readonly detail?: Detail;
  /** `-L`: the logs of what is built. `github` always shows, folded, what it is given. */
  readonly buildLogs?: boolean;
  /** `--show-trace`: evaluation errors with their whole trace. */
  readonly showTrace?: boolean;
  /** The live view's last words, such as `Ctrl-C detaches`. */
  readonly keyHint?: string;
  /** `tty`: the terminal shows progress in its tab or the taskbar. */
  readonly taskbar?: boolean;
  /** `plain`: a runner reads the lines, and obeys the workflow commands among them. */
  readonly inRunner?: boolean;
  /** `github`: the file that `GITHUB_STEP_SUMMARY` names. */
  readonly stepSummaryPath?: string;
  /** `github`, `plain`: a token that no log can guess. */
  readonly randomToken?: () => string;
}
