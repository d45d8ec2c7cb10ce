// A provider for one test: says its address as a line of JSON, then serves until it is ended. Whoever types a name is that
// person; its own pages for development ask for it.
//
// node provider.mjs MODULES REDIRECT SECRET

import { createRequire } from "node:module";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const [modules, redirect, secret] = process.argv.slice(2);
const path = createRequire(`${modules}/x`).resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(path));

// The address is known once it listens.
const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: "custos", client_secret: secret, redirect_uris: [redirect] }],
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});
server.on("request", provider.callback());
console.log(JSON.stringify({ issuer }));
// Ends with whoever started it.
process.stdin.on("close", () => process.exit()).resume();
