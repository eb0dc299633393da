import { type ApiCall, type Route, route } from "./api.ts";
import type { Comment } from "./forge-state.ts";
import type { GiteaApi } from "./gitea-api.ts";

export function giteaAttachmentRoutes({ state, json, repository, refuse, writer }: GiteaApi): Route[] {
  const path = `${repository}/issues/comments/{id}/assets`;
  const commentOf = ({ values }: ApiCall): Comment => {
    const comment = state.comments.find(({ id }) => String(id) === values["id"]);
    if (comment === undefined || !state.attachments.enabled)
      throw refuse(404, "The target couldn't be found.");
    return comment;
  };
  return [
    route("GET", path, (call) => ({ status: 200, json: commentOf(call).files.map(json.file) })),
    route("POST", path, (call) => {
      const { login } = writer(call);
      const comment = commentOf(call);
      if (comment.author !== login) throw refuse(403, "user should have permission to edit comment");
      const file = call.files.get("attachment");
      if (file === undefined) throw refuse(500, "");
      const name = call.query.get("name") ?? file.name;
      const { allowed_types: allowed, max_size: mebibytes } = state.attachments;
      if (!allowed.split(",").some((extension) => name.endsWith(extension))) {
        throw refuse(
          422,
          "This file cannot be uploaded or modified due to a forbidden file extension or type.",
        );
      }
      if (file.bytes.byteLength > mebibytes * 1024 * 1024) throw refuse(413, "");
      return { status: 201, json: json.file(state.addFile(comment, name, file.bytes)) };
    }),
  ];
}
