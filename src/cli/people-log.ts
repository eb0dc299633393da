// What a daemon says of itself when a person watches it: short lines on standard error.
import type { Log } from "../base/log.ts";
import type { Context } from "./context.ts";

export function createPeopleLog({ err, errStyle: style, clock, options }: Context): Log {
  const say = (label: string, fields: Readonly<Record<string, unknown>>, message: string): void => {
    const time = clock.now().toTimeString().slice(0, 8);
    const details = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
      .join(" ");
    err.write(
      `${style.dim(time)} ${label}${style.clean(message)}${details === "" ? "" : ` ${style.dim(style.clean(details))}`}\n`,
    );
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
