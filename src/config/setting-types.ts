// Kinds of settings that several sections of the schema have.
import * as v from "valibot";
import { allowedFor, BranchName, RepoName } from "../protocol/names.ts";

/** `description` becomes docs/reference/configuration.md and the JSON schema. */
export const described = <Schema extends v.GenericSchema>(schema: Schema, description: string) =>
  v.pipe(schema, v.description(description));

export const seconds = (min: number, max: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));

export const absolutePath = v.pipe(v.string(), v.regex(/^\/[^\u0000]*$/, "must be an absolute path"));

/** A secret is always the path of a file. `$CREDENTIALS_DIRECTORY/name` means a systemd credential. */
export const secretFile = v.pipe(
  v.string(),
  v.regex(
    /^(?:\/|\$CREDENTIALS_DIRECTORY\/)[^\u0000]+$/,
    "must be an absolute path or start with $CREDENTIALS_DIRECTORY/",
  ),
);

/** For https. Git asks for one, and servers of tokens take any. */
export const username = v.pipe(v.string(), v.regex(/^[^\s:]{1,128}$/, "must be without spaces and colons"));

export const repoName = v.message(RepoName, `is not a valid repo name; allowed is ${allowedFor("repo")}`);
export const branchName = v.message(
  BranchName,
  `is not a valid branch name; allowed is ${allowedFor("branch")}`,
);

/** Where a daemon listens. */
export const addressAndPort = v.pipe(
  v.string(),
  v.regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, "must be address:port"),
);
