import type { Exchange } from '../exchange.js'

/** What sets the masked places, so that the line can be run once they are filled in. */
export function curlOf({ method, url, headers, body }: Exchange): string {
  const fields = Object.entries(headers)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`)
  const data = body === null || body === '' ? [] : [`--data-raw ${quoted(body)}`]
  return ['curl -i', `-X ${method}`, ...fields, ...data, quoted(url)].join(' ')
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
