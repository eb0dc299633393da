import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Contract, createContract } from "./openapi.ts";

const repositoryRoot = resolve(import.meta.dirname, "../../..");

/** Gitea's own description of its API, which is kept beside the repository. */
export const giteaDocument = join(repositoryRoot, "../shared/reference/gitea-swagger-subset.json");

/** Undefined where the description is not at hand; a test that needs it says so and is skipped. */
export function giteaContract(): Contract | undefined {
  if (!existsSync(giteaDocument)) return undefined;
  return createContract(JSON.parse(readFileSync(giteaDocument, "utf8")));
}

export const whyWithoutContract = `Gitea's OpenAPI description is not at ${giteaDocument}`;
