/** esbuild gathers the imported style sheets into one file per program. */
declare module "*.css";
