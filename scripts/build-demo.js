/** Builds dist/demo: the demo's browser code, with what shows PDFs in files of its own. */
import { cpSync } from 'node:fs'
import { build } from 'esbuild'

await build({
  entryPoints: {
    demo: 'src/demo/browser/main.ts',
    pdf: 'src/demo/browser/pdf-pages.ts',
    'pdf.worker': 'node_modules/pdfjs-dist/legacy/build/pdf.worker.mjs',
  },
  outdir: 'dist/demo/public',
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  // What PDF.js asks for where it runs in Node.js.
  external: ['@napi-rs/canvas', 'fs', 'url', 'module', 'node:*'],
  logLevel: 'warning',
})
cpSync('src/demo/public', 'dist/demo/public', { recursive: true })
