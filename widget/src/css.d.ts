/** esbuild gathers imported style sheets into one file per program; the loader gets its own as text. */
declare module "*.css" {
  const text: string;
  export default text;
}
