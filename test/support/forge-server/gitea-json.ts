// What Gitea writes about its things.
import type { Comment, ForgeState, Label, Pull } from "./forge-state.ts";

export interface GiteaJson {
  user(login: string): object;
  repository(user: { canPush: boolean } | undefined): object;
  label(label: Label): object;
  pull(pull: Pull, baseCommit: string): object;
  comment(comment: Comment): object;
  file(file: Comment["files"][number]): object;
}

export function giteaJson(state: ForgeState, rootUrl: string): GiteaJson {
  const page = `${rootUrl}/${state.owner}/${state.name}`;
  const user = (login: string): object => ({
    id: state.users.find((each) => each.login === login)?.id ?? -1,
    login,
    login_name: "",
    full_name: "",
    email: `${login}@noreply.invalid`,
    html_url: `${rootUrl}/${login}`,
  });
  const label = ({ id, name, color, description }: Label): object => ({
    id,
    name,
    color,
    description,
    exclusive: false,
    is_archived: false,
    url: `${rootUrl}/api/v1/labels/${id}`,
  });
  const file = ({ id, name, bytes }: Comment["files"][number]): object => ({
    id,
    name,
    size: bytes.byteLength,
    download_count: 0,
    created_at: "2026-11-23T12:00:00Z",
    uuid: `00000000-0000-4000-8000-${String(id).padStart(12, "0")}`,
    browser_download_url: `${rootUrl}/attachments/${id}`,
  });
  return {
    user,
    label,
    file,
    repository: (reader) => ({
      id: state.repositoryId,
      owner: user(state.owner),
      name: state.name,
      full_name: `${state.owner}/${state.name}`,
      html_url: page,
      private: true,
      archived: state.archived,
      mirror: state.mirror,
      empty: false,
      default_branch: "main",
      has_pull_requests: true,
      permissions: { admin: false, push: reader?.canPush === true, pull: true },
      allow_fast_forward_only_merge: state.allowsFastForward,
    }),
    pull(pull, baseCommit) {
      const isHere = pull.headRepositoryId === state.repositoryId;
      return {
        id: pull.number,
        number: pull.number,
        html_url: `${page}/pulls/${pull.number}`,
        url: `${page}/pulls/${pull.number}`,
        user: user(pull.author),
        title: pull.title,
        body: pull.body,
        labels: pull.labels.map(label),
        state: pull.state,
        merged: pull.merged,
        mergeable: pull.mergeabilityPending === 0,
        head: {
          label: pull.head,
          ref: pull.gone ? `refs/pull/${pull.number}/head` : pull.head,
          sha: pull.headCommit,
          repo_id: pull.headRepositoryId,
          repo: isHere ? { id: state.repositoryId, name: state.name } : null,
        },
        base: { label: pull.base, ref: pull.base, sha: baseCommit, repo_id: state.repositoryId },
        comments: state.comments.filter((comment) => comment.pull === pull.number).length,
        review_comments: 0,
        created_at: pull.createdAt.toISOString(),
        updated_at: pull.updatedAt.toISOString(),
        closed_at: null,
        merged_at: null,
      };
    },
    comment: (comment) => ({
      id: comment.id,
      html_url: `${page}/pulls/${comment.pull}#issuecomment-${comment.id}`,
      body: comment.body,
      user: user(comment.author),
      created_at: comment.createdAt.toISOString(),
      updated_at: comment.createdAt.toISOString(),
      assets: comment.files.map(file),
    }),
  };
}
