// systemd-boot: `loader/loader.conf`, an entry's file for each generation, and an EFI variable that beats both. The texts
// are the Boot Loader Specification's and loader.conf(5)'s.
import { matchesGlob, parseGlob, type Glob } from "../../base/glob.ts";
import { systemOfCommandLine, type BootEntry } from "./boot-entry.ts";

/** `default` of loader.conf: the name of an entry, or a pattern. The last one counts. */
export const parseLoaderConf = (text: string): string | undefined =>
  [...text.matchAll(/^[ \t]*default[ \t]+(?<name>\S+)[ \t]*$/gm)].at(-1)?.groups?.["name"];

/** Undefined for an entry that boots no NixOS system, or in a way that we do not know. */
export function parseLoaderEntry(text: string): BootEntry | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`^[ \\t]*${name}[ \\t]+(?<value>.*\\S)[ \\t]*$`, "m").exec(text)?.groups?.["value"];
  const system = systemOfCommandLine(field("options") ?? "");
  if (system === undefined) return undefined;
  return { system, kernel: field("linux"), initrd: field("initrd") };
}

/**
 * The file of the default entry; undefined when none fits, or several do and only the loader knows their order.
 * With boot counting an entry's file has its tries in its name: `nixos-generation-7+2-1.conf`.
 */
export function chooseEntry(wanted: string, files: readonly string[]): string | undefined {
  const idOf = (file: string): string => file.replace(/\+\d+(?:-\d+)?(?=\.conf$)/, "");
  const glob = globOf(/\.conf$|[*?\]]$/.test(wanted) ? wanted : `${wanted}.conf`);
  const fitting = files.filter((file) => file.endsWith(".conf") && matchesGlob(glob, idOf(file)));
  return fitting.length === 1 ? fitting[0] : undefined;
}

function globOf(pattern: string): Glob {
  try {
    return parseGlob(pattern);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // It fits nothing.
    return [];
  }
}

/** An EFI variable of the boot loader's vendor, as efivarfs shows it: four bytes of attributes, then UTF-16 with its end. */
export function decodeLoaderVariable(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength <= 4 || bytes.byteLength % 2 !== 0) return undefined;
  const text = new TextDecoder("utf-16le").decode(bytes.subarray(4)).replace(/\0+$/, "");
  return text === "" ? undefined : text;
}

export const loaderEntryDefault = "LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
