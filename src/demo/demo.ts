import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Middleware } from 'koa'
import { chosenLanguage } from '../pages/chosen-language.js'
import { chooseLanguage } from '../pages/language.js'

interface DemoFile {
  readonly file: string
  /** Where there is one in German. */
  readonly german?: string
  readonly type: string
  readonly cache: string
}

/** All there is. Paths are looked up here and never built from the request. */
const FILES: Readonly<Record<string, DemoFile>> = {
  '/demo/': {
    ...{ file: 'index.html', german: 'index.de.html' },
    ...{ type: 'text/html; charset=utf-8', cache: 'no-store' },
  },
  '/demo/demo.js': { file: 'demo.js', type: 'text/javascript; charset=utf-8', cache: 'no-cache' },
  // Loaded where there is a PDF to be looked at.
  '/demo/pdf.js': { file: 'pdf.js', type: 'text/javascript; charset=utf-8', cache: 'no-cache' },
  '/demo/pdf.worker.js': {
    file: 'pdf.worker.js',
    type: 'text/javascript; charset=utf-8',
    cache: 'no-cache',
  },
  '/demo/demo.css': { file: 'demo.css', type: 'text/css; charset=utf-8', cache: 'no-cache' },
}

const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * Serves the demo signature application of the sandbox under `/demo/`. It is an application like
 * any other: static files that use the public API as client `openrssp-demo`.
 */
export function demo({ directory }: { directory: string }): Middleware {
  return async (ctx, next) => {
    if (ctx.path === '/demo') {
      ctx.status = 308
      ctx.set('Location', '/demo/')
      return
    }
    // The page takes what stands after its address for an answer of the service.
    if (ctx.path === '/demo/' && ctx.query['lang'] !== undefined) {
      ctx.status = 303
      ctx.set('Location', '/demo/')
      return
    }
    const entry = Object.hasOwn(FILES, ctx.path) ? FILES[ctx.path] : undefined
    if (!entry) {
      await next()
      return
    }
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      ctx.status = 405
      ctx.set('Allow', 'GET, HEAD')
      return
    }
    ctx.set({
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
      'Content-Type': entry.type,
      'Cache-Control': entry.cache,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cross-Origin-Opener-Policy': 'same-origin',
      Vary: 'Accept-Language, Cookie',
    })
    const language = chosenLanguage(ctx) ?? chooseLanguage(ctx.get('accept-language'))
    const isGerman = language === 'de'
    const file = isGerman ? (entry.german ?? entry.file) : entry.file
    ctx.body = await readFile(join(directory, file))
  }
}
