/** Lets node 20 import TypeScript: esbuild takes the types away. Style sheets become empty modules. */

import { register } from "node:module";

register("./typescript.mjs", import.meta.url);
