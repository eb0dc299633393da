// Where people see the commits between two states of a flake input. These links end up in pull requests, so they are
// made from validated parts only: an input's owner is text that somebody else wrote.
import type { FlakeReference } from "./flake-lock.ts";

const ownerPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/;
const repoPattern = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}$/;
const hostPattern =
  /^[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?)*$/;
export const revPattern = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** A repository at a forge, of validated parts. */
export interface Place {
  readonly forge: "github" | "gitlab" | "sourcehut" | "gitea";
  readonly host: string;
  readonly port: string;
  /** Owner or groups, then the repository. */
  readonly path: readonly string[];
}

/**
 * The page that compares two locked states of one input; undefined where its kind has none, where they are of
 * different repositories, or where any part is not what it should be.
 *
 * @param giteaHosts host names of forges that have Gitea's URLs: which one a plain git URL is at cannot be seen
 */
export function compareUrl(
  before: FlakeReference,
  after: FlakeReference,
  giteaHosts: readonly string[] = [],
): string | undefined {
  const [from, to] = [before.rev ?? "", after.rev ?? ""];
  if (from === to || !revPattern.test(from) || !revPattern.test(to)) return undefined;
  const place = placeOf(after, giteaHosts);
  const earlier = placeOf(before, giteaHosts);
  if (place === undefined || earlier === undefined || !isSame(place, earlier)) return undefined;
  const repository = `https://${place.host}${place.port}/${place.path.join("/")}`;
  switch (place.forge) {
    case "github":
    case "gitea":
      return `${repository}/compare/${from}...${to}`;
    case "gitlab":
      return `${repository}/-/compare/${from}...${to}`;
    case "sourcehut":
      // It has no page for a comparison; its log starts at the newer commit.
      return `${repository}/log/${to}`;
  }
}

const isSame = (a: Place, b: Place): boolean =>
  a.forge === b.forge &&
  a.host === b.host &&
  a.path.join("/").toLowerCase() === b.path.join("/").toLowerCase();

/** Where an input is; undefined where no forge is known for it. */
export function placeOf(reference: FlakeReference, giteaHosts: readonly string[] = []): Place | undefined {
  const { type, owner = "", repo = "" } = reference;
  switch (type) {
    case "github":
      return validPlace("github", reference.host ?? "github.com", [owner, repo]);
    case "gitlab":
      // Nix writes the slash between groups as %2F.
      return validPlace("gitlab", reference.host ?? "gitlab.com", [...owner.split(/%2F|\//i), repo]);
    case "sourcehut":
      return owner.startsWith("~")
        ? validPlace("sourcehut", reference.host ?? "git.sr.ht", [owner.slice(1), repo], "~")
        : undefined;
    case "git":
      return placeOfUrl(reference.url ?? "", giteaHosts);
    default:
      return undefined;
  }
}

function placeOfUrl(text: string, giteaHosts: readonly string[]): Place | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "ssh:")) return undefined;
  // A password or token in the URL: nothing of it may be shown.
  if (url.password !== "" || (url.protocol === "https:" && url.username !== "")) return undefined;
  const path = url.pathname
    .replace(/\.git$/, "")
    .split("/")
    .slice(1);
  const forge =
    url.hostname === "github.com" ? "github" : giteaHosts.includes(url.hostname) ? "gitea" : undefined;
  if (forge === undefined || path.length !== 2) return undefined;
  const port = url.protocol === "https:" && url.port !== "" ? `:${url.port}` : "";
  return validPlace(forge, url.hostname, path, "", port);
}

function validPlace(
  forge: Place["forge"],
  host: string,
  names: readonly string[],
  mark = "",
  port = "",
): Place | undefined {
  const owners = names.slice(0, -1);
  const isValid =
    hostPattern.test(host) &&
    owners.length > 0 &&
    owners.every((name) => ownerPattern.test(name)) &&
    repoPattern.test(names.at(-1) ?? "");
  const path = names.map((name, index) => (index === 0 ? `${mark}${name}` : name));
  return isValid ? { forge, host, port, path } : undefined;
}
