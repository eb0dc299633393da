// Names that reach a subject, a path or an argument. They exist only as validated, branded types: nothing else
// in this program can put a wildcard, a slash, a leading dash or a space where it would mean something.
import * as v from "valibot";
import { HomelabError } from "../base/errors.ts";

/** Reserved: they stand for sets of repos and hosts in subjects. */
const reserved = new Set(["all", "any"]);
const notReserved = (name: string): boolean => !reserved.has(name);

const repoPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const hostPattern = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?$/;
const ulidPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const commitPattern = /^[0-9a-f]{40}$/;

export const RepoName = v.pipe(v.string(), v.regex(repoPattern), v.check(notReserved), v.brand("RepoName"));
export type RepoName = v.InferOutput<typeof RepoName>;

/** An attribute of `nixosConfigurations` that we can address. Others are reported as skipped. */
export const HostName = v.pipe(v.string(), v.regex(hostPattern), v.check(notReserved), v.brand("HostName"));
export type HostName = v.InferOutput<typeof HostName>;

/** The id of a build: a ULID, upper case. */
export const BuildId = v.pipe(v.string(), v.regex(ulidPattern), v.brand("BuildId"));
export type BuildId = v.InferOutput<typeof BuildId>;

/** A full git commit hash, never abbreviated: Nix refuses short ones. */
export const Commit = v.pipe(v.string(), v.regex(commitPattern), v.brand("Commit"));
export type Commit = v.InferOutput<typeof Commit>;

/** The name of a builder: one token of a subject, one key of a bucket. */
export const BuilderName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/),
  v.check(notReserved),
  v.brand("BuilderName"),
);
export type BuilderName = v.InferOutput<typeof BuilderName>;

/**
 * A git branch. Stricter than git-check-ref-format: no leading dash, no `..`, no `@{`, no control, no space,
 * nothing that git gives a meaning of its own.
 */
export const BranchName = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(/^(?!\/)[A-Za-z0-9_][A-Za-z0-9_./+@=-]*$/),
  v.check((name) => !/\.\.|\/\/|\/\.|@\{|\.lock(\/|$)|[./]$/.test(name)),
  v.brand("BranchName"),
);
export type BranchName = v.InferOutput<typeof BranchName>;

/** A path directly in a Nix store: any store directory, the 32 characters of its hash, and its name. */
export const StorePath = v.pipe(
  v.string(),
  v.maxLength(512),
  v.regex(/^\/(?:[A-Za-z0-9_.+-]+\/)*[0-9abcdfghijklmnpqrsvwxyz]{32}-[A-Za-z0-9+_?=.-]{1,211}$/),
  v.check((path) => !path.split("/").includes("..")),
  v.brand("StorePath"),
);
export type StorePath = v.InferOutput<typeof StorePath>;
export const isStorePath = (value: unknown): value is StorePath => v.is(StorePath, value);

const rules = {
  repo: {
    schema: RepoName,
    allowed: "1 to 63 of a-z, 0-9 and '-', not starting or ending with '-', not 'all' or 'any'",
  },
  host: {
    schema: HostName,
    allowed:
      "1 to 128 of letters, digits, '_', '.' and '-', starting and ending with a letter, a digit or '_', not 'all' or 'any'",
  },
  "build id": { schema: BuildId, allowed: "a ULID: 26 upper-case letters and digits" },
  commit: { schema: Commit, allowed: "a full commit hash: 40 of 0-9 and a-f" },
  builder: { schema: BuilderName, allowed: "1 to 63 of letters, digits, '_' and '-'" },
  branch: {
    schema: BranchName,
    allowed: "letters, digits and _ . / + @ = -, not starting with '-', '.' or '/'",
  },
} as const;

export type NameKind = keyof typeof rules;

/** What a name of that kind may be, as a phrase for people. */
export const allowedFor = (kind: NameKind): string => rules[kind].allowed;

function parse<Schema extends v.GenericSchema>(
  kind: NameKind,
  schema: Schema,
  text: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, text);
  if (result.success) return result.output;
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
  throw new HomelabError("usage", `${shown} is not a valid ${kind} name`, {
    code: "BAD_NAME",
    hint: `allowed is ${rules[kind].allowed}`,
  });
}

export const parseRepoName = (text: string): RepoName => parse("repo", RepoName, text);
export const parseHostName = (text: string): HostName => parse("host", HostName, text);
export const parseBuildId = (text: string): BuildId => parse("build id", BuildId, text);
export const parseCommit = (text: string): Commit => parse("commit", Commit, text);
export const parseBuilderName = (text: string): BuilderName => parse("builder", BuilderName, text);
export const parseBranchName = (text: string): BranchName => parse("branch", BranchName, text);
export const isHostName = (text: string): text is HostName => v.is(HostName, text);
export const isRepoName = (text: string): text is RepoName => v.is(RepoName, text);
export const isBuildId = (text: string): text is BuildId => v.is(BuildId, text);

/** `repo/host`, the full name of a host. */
export type FullHostName = `${string}/${string}`;
export const FullHostName = v.custom<FullHostName>((value) => {
  if (typeof value !== "string") return false;
  const slash = value.indexOf("/");
  return slash > 0 && isRepoName(value.slice(0, slash)) && isHostName(value.slice(slash + 1));
});
export const fullName = ({ repo, host }: { readonly repo: string; readonly host: string }): FullHostName =>
  `${repo}/${host}`;
