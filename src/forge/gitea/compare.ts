import type * as v from "valibot";
import type { GiteaContext } from "./context.ts";
import { CompareAnswer } from "./schemas.ts";

/** What `to` has and `from` has not. By their names: Gitea 1.22 answers 404 to commits. */
export async function compareBranches(
  { http, repo }: GiteaContext,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<v.InferOutput<typeof CompareAnswer>> {
  const path = [...repo, "compare", `${from}...${to}`];
  return (await http.call({ method: "GET", path, answer: CompareAnswer }, signal)).value;
}
