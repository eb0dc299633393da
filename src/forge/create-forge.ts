import type { Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import type { RetryPolicy } from "../base/retry.ts";
import type { Forge, ForgeKind } from "./forge.ts";
import { createGitea } from "./gitea/gitea.ts";
import { createGithub } from "./github/github.ts";
import { createHttp, type Http } from "./http/http.ts";

export interface ForgeSettings {
  /** Whether it is Gitea or Forgejo is found out by asking the server. */
  readonly kind: ForgeKind;
  /** What people open in their browser: `https://git.example/sub`, `https://github.com`. */
  readonly url: string;
  readonly owner: string;
  readonly repo: string;
  readonly tokenFile: string;
}

export interface ForgeParts {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Reads a secret now, from the path that the settings name. */
  readonly readSecret: (file: string) => Promise<string>;
  readonly timeoutMs?: number;
  readonly retryPolicy?: RetryPolicy;
}

/**
 * Signs in to a forge.
 *
 * @throws HomelabError `config` with code `BAD_FORGE` for settings that cannot be meant; else as Forge says.
 */
export async function createForge(
  settings: ForgeSettings,
  parts: ForgeParts,
  signal: AbortSignal,
): Promise<Forge> {
  const { kind, owner, repo } = settings;
  const http = openForgeHttp(settings, parts);
  const page = `${rootUrl(settings.url)}/${owner}/${repo}`;
  return kind === "github"
    ? createGithub({ http, owner, repo, page }, signal)
    : createGitea({ http, owner, repo, page }, signal);
}

/**
 * The API of a forge, for what the port Forge does not have.
 *
 * @throws HomelabError `config` with code `BAD_FORGE` for settings that cannot be meant.
 */
export function openForgeHttp(
  { kind, url, owner, repo, tokenFile }: ForgeSettings,
  { fetch, clock, readSecret, ...rest }: ForgeParts,
): Http {
  for (const name of [owner, repo]) checkName(name);
  const root = rootUrl(url);
  const readToken = (): Promise<string> => readSecret(tokenFile);
  const common = { fetch, clock, readToken, ...rest };
  if (kind !== "github") return createHttp({ ...common, apiUrl: `${root}/api/v1`, scheme: "token" });
  const headers = { accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" };
  const apiUrl = root === "https://github.com" ? "https://api.github.com" : `${root}/api/v3`;
  return createHttp({ ...common, apiUrl, scheme: "Bearer", headers });
}

/** Gitea's and GitHub's names for users and repositories; `.` and `..` would climb in a URL. */
function checkName(name: string): void {
  if (/^[A-Za-z0-9_.-]{1,100}$/.test(name) && name !== "." && name !== "..") return;
  throw new HomelabError(
    "config",
    `${JSON.stringify(name.slice(0, 100))} is not an owner or repository of a forge`,
    {
      code: "BAD_FORGE",
      hint: "owner and repository are in the URL of its page: https://git.example/owner/repository",
    },
  );
}

function rootUrl(text: string): string {
  const url = URL.parse(text);
  const isPlain =
    url !== null &&
    (url.protocol === "https:" || url.protocol === "http:") &&
    [url.username, url.password, url.search, url.hash].every((part) => part === "");
  // Without quoting the URL: there may be a password in it.
  if (!isPlain) {
    throw new HomelabError("config", "the forge's URL is not a plain http:// or https:// URL", {
      code: "BAD_FORGE",
      hint: "write the address of its start page, without user, password, ? and #",
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}
