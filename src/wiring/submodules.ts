// Where Nix takes a repo with submodules to be, when it fetches our copy of it. A relative URL of a submodule is relative
// to where its repo is, and our copy is elsewhere: so Nix is given a URL beside the remote's, and git, which Nix starts,
// is told that our copy is there. That works alike from Nix 2.8, where git resolves the URLs, to 2.34, where Nix does.
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import type { RepoSettings } from "../config/repo-schema.ts";

export type SubmoduleSettings = Pick<RepoSettings, "url" | "submodules">;

/** Nix never uses a `file:` URL of a place where nothing is (since 2.20), so it must not see one. */
const localRoot = "ssh://homelab-deploy.invalid/";

/** The URL for Nix; undefined for a repo whose submodules are left alone. */
export function submodulesOrigin(repo: string, { url, submodules }: SubmoduleSettings): string | undefined {
  if (!submodules) return undefined;
  const place = seenByNix(withoutSlash(url));
  // Git compares beginnings of URLs: no other URL begins like this one.
  return `${place.slice(0, place.lastIndexOf("/"))}/homelab-deploy.${repo}.mirror`;
}

/** The file of settings for git that makes this true; empty for a repo whose submodules are left alone. */
export function submoduleRules(repo: string, settings: SubmoduleSettings, mirror: string): string {
  const origin = submodulesOrigin(repo, settings);
  if (origin === undefined) return "";
  const url = withoutSlash(settings.url);
  return [
    instead(origin, pathToFileURL(mirror).href),
    // A submodule at ./name is below the repo itself.
    instead(`${origin}/`, `${url}/`),
    ...(origin.startsWith(localRoot) ? [instead(localRoot, "file:///")] : []),
  ].join("");
}

/** A name of its own for what the rules say. */
export const rulesFile = (rules: string): string =>
  `submodules-${createHash("sha256").update(rules).digest("hex").slice(0, 16)}`;

const seenByNix = (url: string): string => url.replace(/^file:\/\/\//, localRoot);
const withoutSlash = (url: string): string => url.replace(/\/+$/, "");

const instead = (of: string, use: string): string => `[url ${quoted(use)}]\n\tinsteadOf = ${quoted(of)}\n`;

/** As git-config(1) has it. */
const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
