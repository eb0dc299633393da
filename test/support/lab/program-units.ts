// Units of a host that run this checkout's own program with its own Node, for `units` of a fake system.
import { checkoutInHost, nodeInHost } from "./lab.ts";

/** Of a unit file's sections, by name: a list is a line for each element. */
export type UnitSections = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** The command line of a module of the checkout: `programCommand("src/cli/main.ts", "listener", "--config", file)`. */
export const programCommand = (module: string, ...args: readonly string[]): string =>
  [nodeInHost, `${checkoutInHost}/${module}`, ...args].map(quoted).join(" ");

/** A service of the program. Sections given here are added to it. */
export function programUnit(command: string, sections: UnitSections = {}): string {
  return unitText({
    ...sections,
    Unit: { Description: "homelab-deploy in the lab", ...sections["Unit"] },
    Service: { ExecStart: command, ...sections["Service"] },
  });
}

export const unitText = (sections: UnitSections): string =>
  Object.entries(sections)
    .map(([name, settings]) =>
      [
        `[${name}]`,
        ...Object.entries(settings).flatMap(([key, value]) => [value].flat().map((each) => `${key}=${each}`)),
        "",
      ].join("\n"),
    )
    .join("\n");

/** systemd's quoting: its `%` and `$` mean something. */
const quoted = (word: string): string =>
  /^[\w@.:/=+-]+$/.test(word)
    ? word
    : `"${word
        .replaceAll(/["\\]/g, String.raw`\$&`)
        .replaceAll("%", "%%")
        .replaceAll("$", "$$$$")}"`;
