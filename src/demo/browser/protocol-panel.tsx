import type { Exchange } from './protocol-log.js'
import { t } from './texts.js'

/** For developers: every message so far, as their own application would send it. */
export function ProtocolPanel({ log }: { log: readonly Exchange[] }) {
  return (
    <details class="protocol card">
      <summary>
        <span class="protocol-title">{t('What just happened')}</span>{' '}
        <span class="muted">{t('{count} messages, for developers', { count: log.length })}</span>
      </summary>
      <p class="hint">
        {t(
          'This page uses only the public API: CSC API v2 and OAuth 2.0 with PKCE. Codes and tokens are masked.',
        )}
      </p>
      <ol class="exchanges">
        {log.map((exchange, index) => (
          <li key={index}>
            <details>
              <summary>
                <span class="exchange-title">{t(exchange.title)}</span>
                <code class="exchange-line">
                  {exchange.method === 'redirect' ? t('browser →') : exchange.method}{' '}
                  {path(exchange.url)}
                </code>
                {exchange.status !== undefined && (
                  <span class={`tag ${exchange.status < 400 ? 'good' : 'bad'}`}>
                    {exchange.status}
                  </span>
                )}
              </summary>
              <Part title="Authorization" text={exchange.authorization} />
              <Part title={t('Request')} text={exchange.request} />
              <Part title={t('Response')} text={exchange.response} />
              {exchange.milliseconds !== undefined && (
                <p class="muted">{exchange.milliseconds} ms</p>
              )}
            </details>
          </li>
        ))}
      </ol>
    </details>
  )
}

function Part({ title, text }: { title: string; text: string | undefined }) {
  if (text === undefined || text === '') return null
  return (
    <>
      <h4>{title}</h4>
      <pre class="value" tabIndex={0} aria-label={title}>
        {text}
      </pre>
    </>
  )
}

function path(url: string): string {
  return new URL(url, location.origin).pathname
}
