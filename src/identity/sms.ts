import { readFileSync } from 'node:fs'
import type { Config } from '../config/schema.js'
import { MessageNotSentError } from '../errors.js'
import { limitedFetch, type LimitedFetch } from './limited-fetch.js'
import { NO_MESSENGER, outbox, type Message, type Messenger } from './messenger.js'

const TIMEOUT_SECONDS = 10

/** The configured way for text messages to signers. */
export function openSms(
  { sms }: Pick<Config, 'sms'>,
  fetch: LimitedFetch = limitedFetch,
): Messenger {
  switch (sms?.transport) {
    case 'http':
      return gateway(sms, fetch)
    case 'outbox':
      return outbox(sms.folder)
    case undefined:
      return NO_MESSENGER
  }
}

type GatewaySettings = Extract<NonNullable<Config['sms']>, { transport: 'http' }>

function gateway(settings: GatewaySettings, fetch: LimitedFetch): Messenger {
  const { url, method = 'POST', body, timeoutSeconds = TIMEOUT_SECONDS } = settings
  const contentType =
    body.format === 'json' ? 'application/json' : 'application/x-www-form-urlencoded'
  const headers = {
    'Content-Type': contentType,
    Accept: 'application/json, text/plain;q=0.9, */*;q=0.1',
    ...settings.headers,
    ...Object.fromEntries(
      Object.entries(settings.headerFiles ?? {}).map(([name, file]) => {
        return [name, readFileSync(file, 'utf8').trim()]
      }),
    ),
  }
  return {
    async send(message) {
      const signal = AbortSignal.timeout(timeoutSeconds * 1000)
      const request = { method, headers, body: bodyOf(body, message), redirect: 'manual', signal }
      const { ok, status } = await fetch(url, request).catch((cause: unknown) => {
        throw new MessageNotSentError('unavailable', { cause })
      })
      if (ok) return
      const cause = new Error(`the gateway answered ${status}`)
      throw new MessageNotSentError('unavailable', { cause })
    },
  }
}

/** Placeholders are replaced within each value, then the whole is encoded: a text cannot add a field. */
function bodyOf(body: GatewaySettings['body'], message: Message): string {
  if (body.format === 'json') return JSON.stringify(filledIn(body.template, message))
  const fields = Object.entries(body.template).map(([name, value]): [string, string] => {
    return [name, filledInText(value, message)]
  })
  return new URLSearchParams(fields).toString()
}

function filledIn(template: unknown, message: Message): unknown {
  if (typeof template === 'string') return filledInText(template, message)
  if (Array.isArray(template)) return template.map((each) => filledIn(each, message))
  if (typeof template !== 'object' || template === null) return template
  return Object.fromEntries(
    Object.entries(template).map(([name, value]) => [name, filledIn(value, message)]),
  )
}

function filledInText(template: string, { to, text }: Message): string {
  return template.replaceAll(/\{(to|text)\}/g, (_, name) => (name === 'to' ? to : text))
}
