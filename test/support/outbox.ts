import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Rssp } from './rssp.js'

export interface OutboxMessage {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** What was sent by mail and text message, oldest first; for servers started with `outbox`. */
export function messagesTo(rssp: Rssp, to: string): OutboxMessage[] {
  const folder = join(rssp.folder, 'outbox')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as OutboxMessage)
    .filter((message) => message.to === to)
}

/** The code in the newest message. */
export function lastCode(rssp: Rssp, to: string): string {
  const { text } = messagesTo(rssp, to).at(-1) ?? assert.fail(`nothing was sent to ${to}`)
  return codeIn(text)
}

export function codeIn(text: string): string {
  return /code (?:is|lautet) (\d{8})/i.exec(text)?.[1] ?? assert.fail(`no code in ${text}`)
}
