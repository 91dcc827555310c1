import { Foreign } from '../../pages/layout.js'
import { LANGUAGES, type Language } from '../../pages/language.js'
import {
  accountMessages,
  PostForm,
  renderAccountPage,
  type AccountPageView,
} from './account-page.js'

export interface NoticeSettingsView extends AccountPageView {
  readonly email: string | null
  readonly signatureNotices: boolean
  readonly mailLanguage: Language
}

export function renderNoticeSettings(view: NoticeSettingsView): string {
  const { noticeSettings: messages, sections } = accountMessages(view)
  return renderAccountPage(
    view,
    { title: sections.notices },
    <>
      <p>
        {view.email === null ? messages.noAddress : messages.address(<Foreign text={view.email} />)}
      </p>
      <p>{messages.hint}</p>
      <PostForm action="/account/notices">
        <div class="field check">
          <input
            type="checkbox"
            id="signatures"
            name="signatures"
            value="on"
            checked={view.signatureNotices}
          />
          <label for="signatures">{messages.signatures}</label>
        </div>
        <div class="field">
          <label for="lang">{messages.language}</label>
          <select id="lang" name="lang">
            {LANGUAGES.map((language) => (
              <option value={language} selected={language === view.mailLanguage}>
                {messages.languages[language]}
              </option>
            ))}
          </select>
        </div>
        <div class="buttons">
          <button class="primary" type="submit">
            {messages.save}
          </button>
        </div>
      </PostForm>
    </>,
  )
}
