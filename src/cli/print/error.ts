// What a person, or a program, sees of something that was thrown.
import { causesOf, HomelabError, internalCode, isBug, messageOf, type ErrorKind } from "../../base/errors.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import type { Style } from "./style.ts";

/** Anything but a `HomelabError` is a bug, unless the system refused something or did not answer. */
export const exitCodeOfError = (thrown: unknown): number => exitCodeOfKind(kindOf(thrown));

function kindOf(thrown: unknown): ErrorKind {
  if (thrown instanceof HomelabError) return thrown.kind;
  return isBug(thrown) ? "bug" : "unavailable";
}

function exitCodeOfKind(kind: ErrorKind): number {
  switch (kind) {
    case "usage":
    case "config":
      return exitCodes.usage;
    case "failed":
      return exitCodes.failed;
    case "unavailable":
      return exitCodes.unavailable;
    case "refused":
      return exitCodes.refused;
    case "bug":
      return exitCodes.bug;
  }
}

export const bugHint = "this is a bug in homelab-deploy, please report it with what you ran";

export interface ErrorPrint {
  readonly style: Style;
  /** `--debug`: with the stack. */
  readonly debug?: boolean;
}

/** `error: what`, `  because: why` for each cause, `hint: what to do`; with a newline at the end. */
export function renderError(thrown: unknown, { style, debug = false }: ErrorPrint): string {
  const known = thrown instanceof HomelabError ? thrown : undefined;
  const ourBugHint = debug ? bugHint : `${bugHint}; --debug shows where it happened`;
  const hint = known === undefined && isBug(thrown) ? ourBugHint : known?.hint;
  const message =
    known === undefined && isBug(thrown) ? `internal error: ${messageOf(thrown)}` : messageOf(thrown);
  const lines = [
    labelled(style, style.red("error:"), message),
    ...causesOf(thrown).map((cause) => labelled(style, `  ${style.dim("because:")}`, cause)),
    ...(hint === undefined ? [] : [labelled(style, style.cyan("hint:"), hint)]),
    ...(debug && thrown instanceof Error && thrown.stack !== undefined
      ? thrown.stack.split("\n").map((line) => style.dim(style.clean(line)))
      : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** Further lines of a message are indented, so that none of them can pass for a label of ours. */
function labelled(style: Style, label: string, message: string): string {
  const [first = "", ...rest] = message.split("\n").map((line) => style.clean(line));
  return [`${label} ${first}`, ...rest.map((line) => `    ${line}`)].join("\n");
}

export interface ErrorJson {
  readonly error: {
    readonly kind: ErrorKind;
    readonly code?: string;
    readonly message: string;
    readonly because: readonly string[];
    readonly hint?: string;
    readonly exitCode: number;
    readonly stack?: string;
  };
}

/** The same for `--json`. */
export function errorJson(thrown: unknown, debug = false): ErrorJson {
  const known = thrown instanceof HomelabError ? thrown : undefined;
  const kind = kindOf(thrown);
  const hint = kind === "bug" ? (known?.hint ?? bugHint) : known?.hint;
  const code = known?.code ?? (kind === "bug" ? internalCode : undefined);
  return {
    error: {
      kind,
      code,
      message: messageOf(thrown),
      because: causesOf(thrown),
      hint,
      exitCode: exitCodeOfError(thrown),
      ...(debug && thrown instanceof Error && thrown.stack !== undefined ? { stack: thrown.stack } : {}),
    },
  };
}
