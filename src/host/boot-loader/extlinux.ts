// extlinux.conf as NixOS writes it for U-Boot and others (extlinux-conf-builder.sh in nixpkgs).
import { systemOfCommandLine, type BootEntry } from "./boot-entry.ts";

/** The entry with the label of `DEFAULT`. */
export function parseExtlinuxDefault(text: string): BootEntry | undefined {
  const wanted = /^\s*DEFAULT\s+(?<label>\S+)\s*$/m.exec(text)?.groups?.["label"];
  const block = text
    .split(/^(?=\s*LABEL\s)/m)
    .find((each) => /^\s*LABEL\s+(?<label>\S+)/.exec(each)?.groups?.["label"] === wanted);
  if (wanted === undefined || block === undefined) return undefined;
  const field = (name: string): string | undefined =>
    new RegExp(`^\\s*${name}\\s+(?<value>.*\\S)\\s*$`, "m").exec(block)?.groups?.["value"];
  const system = systemOfCommandLine(field("APPEND") ?? "");
  return system === undefined ? undefined : { system, kernel: field("LINUX"), initrd: field("INITRD") };
}
