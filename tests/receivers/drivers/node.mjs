// Feeds the document's Node receiver: `node.mjs receiver.mjs`, vectors on stdin, the events it gave on stdout.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { verified } = await import(pathToFileURL(process.argv[2]));

function judged({ secret, headers, body }) {
  try {
    return verified(secret, headers, Buffer.from(body));
  } catch {
    return null;
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(judged)));
