import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as v from "valibot";
import { type Contract, createContract } from "./openapi.ts";

const repositoryRoot = resolve(import.meta.dirname, "../../..");

/** Gitea's own description of its API, which is kept beside the repository. */
export const giteaDocument = join(repositoryRoot, "../shared/reference/gitea-swagger-subset.json");

/** Undefined where the description is not at hand; a test that needs it says so and is skipped. */
export function giteaContract(): Contract | undefined {
  if (!existsSync(giteaDocument)) return undefined;
  const document = v.parse(Document, JSON.parse(readFileSync(giteaDocument, "utf8")));
  return createContract({ ...document, paths: { ...document.paths, ...reviews } });
}

const Document = v.looseObject({ paths: v.record(v.string(), v.unknown()) });

/** Not in the part of the description that is at hand: `repoListPullReviews` of routers/api/v1/repo/pull_review.go. */
const reviews = {
  "/repos/{owner}/{repo}/pulls/{index}/reviews": {
    get: {
      parameters: [
        ...["owner", "repo", "index"].map((name) => ({ name, in: "path", required: true, type: "string" })),
        ...["page", "limit"].map((name) => ({ name, in: "query", type: "integer" })),
      ],
      responses: { "200": { schema: { type: "array" } }, "404": {} },
    },
  },
};

export const whyWithoutContract = `Gitea's OpenAPI description is not at ${giteaDocument}`;
