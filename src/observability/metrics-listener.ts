import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Middleware } from 'koa'
import type { Config } from '../config/schema.js'
import { sharedLook } from './shared-look.js'

/** Figures in the text format of Prometheus: of this process, or of all workers. */
export interface Figures {
  text(): Promise<string>
  readonly contentType: string
}

/** `/metrics` among everything else, for the sandbox. */
export function showMetrics(figures: Figures): Middleware {
  const look = sharedLook(() => figures.text())
  return async (ctx, next) => {
    if (ctx.path !== '/metrics') {
      await next()
      return
    }
    ctx.body = await look()
    ctx.set('Content-Type', figures.contentType)
    ctx.set('Cache-Control', 'no-store')
  }
}

export interface MetricsListener {
  readonly port: number
  close(): Promise<void>
}

/**
 * `/metrics` at an address of its own, and nothing else.
 * @param token that has to come as Bearer; null when the address is protection enough
 */
export async function listenForPrometheus(
  figures: Figures,
  listen: { readonly host: string; readonly port: number },
  token: string | null,
): Promise<MetricsListener> {
  const look = sharedLook(() => figures.text())
  const server = createServer({ maxHeaderSize: 8 * 1024, requestTimeout: 10_000 })
  server.maxConnections = 16
  server.on('request', (request, response) => {
    const answer = (status: number, body = '', type = 'text/plain') =>
      response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(body)
    if (request.url !== '/metrics') answer(404)
    else if (request.method !== 'GET') answer(405)
    else if (token !== null && !fits(request.headers.authorization, token)) answer(401)
    else {
      look().then(
        (text) => answer(200, text, figures.contentType),
        () => answer(503),
      )
    }
  })
  await begin(server, listen)
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function fits(authorization: string | undefined, token: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(authorization ?? ''), hash(`Bearer ${token}`))
}

function begin(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Listens where the configuration says so; null when it says nothing. */
export async function offerFigures(
  figures: Figures,
  { metrics }: Pick<Config, 'metrics'>,
): Promise<MetricsListener | null> {
  const { listen, tokenFile } = metrics
  if (!listen) return null
  const token = tokenFile === undefined ? null : readFileSync(tokenFile, 'utf8').trim()
  return listenForPrometheus(figures, listen, token)
}
