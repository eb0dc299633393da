import type { ForgeKind, WebUrls } from "../forge.ts";

/** Pages of a repository whose page is `repository`, such as `https://git.example/sub/owner/name`. */
export function webUrls(kind: ForgeKind, repository: string): WebUrls {
  const branchPath = kind === "github" ? "tree" : "src/branch";
  return {
    repository,
    branch: (name) => `${repository}/${branchPath}/${name.split("/").map(encodeURIComponent).join("/")}`,
    commit: (commit) => `${repository}/commit/${commit}`,
    compare: (from, to) => `${repository}/compare/${from}...${to}`,
  };
}
