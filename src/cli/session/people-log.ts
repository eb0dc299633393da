// What a daemon says about itself when a person watches it: short lines on standard error.
import { causesOf, isBug, messageOf } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Context } from "../context.ts";

export function createPeopleLog({
  err,
  errStyle: style,
  clock,
  options,
}: Pick<Context, "err" | "errStyle" | "clock" | "options">): Log {
  /** The stack of a bug is for its report. Of what a person can act on, the message is enough. */
  const stackOf = (thrown: unknown): readonly string[] =>
    thrown instanceof Error && (isBug(thrown) || options.debug === true)
      ? (thrown.stack ?? "").split("\n").slice(1)
      : [];
  const say = (label: string, fields: Readonly<Record<string, unknown>>, message: string): void => {
    const time = clock.now().toTimeString().slice(0, 8);
    const details = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${detailText(name, value)}`)
      .join(" ");
    const lines = [
      `${style.dim(time)} ${label}${style.clean(message)}${details === "" ? "" : ` ${style.dim(style.clean(details))}`}`,
      ...stackOf(fields["err"]).map((line) => style.dim(style.clean(line))),
    ];
    err.write(`${lines.join("\n")}\n`);
  };
  return {
    info: (fields, message) => say("", fields, message),
    warn: (fields, message) => say(style.yellow("warning: "), fields, message),
    error: (fields, message) => say(style.red("error: "), fields, message),
    debug(fields, message) {
      if (options.debug === true) say("", fields, message);
    },
  };
}

function detailText(name: string, value: unknown): string {
  if (name === "err") return [messageOf(value), ...causesOf(value)].join(": ");
  return typeof value === "string" ? value : JSON.stringify(value);
}
