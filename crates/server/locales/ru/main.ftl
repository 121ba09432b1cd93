# Слова страниц. Каждое сообщение есть на обоих языках; тест сверяет два файла.

brand-name = Пропуск
field-destination = Куда
field-person = Вы вошли как

## Вход

login-title = Войдите, чтобы продолжить: { $client }
login-heading = Войдите, чтобы продолжить
login-username = Имя пользователя или почта
login-password = Пароль
login-submit = Войти
login-cancel = Отмена

notice-expired = Страница была открыта слишком долго, поэтому вход начат заново. Введите имя и пароль ещё раз.
notice-cookie-lost = Браузер не сохранил cookie этой страницы, поэтому вход начат заново. Введите имя и пароль ещё раз.
notice-cookies-blocked = Браузер не сохраняет cookie этого сайта. Разрешите их и попробуйте ещё раз.
notice-wrong-credentials = Имя или пароль не подходят. Проверьте их и попробуйте ещё раз.
notice-throttled-seconds = { $count ->
    [one] Слишком много попыток. Попробуйте через { $count } секунду.
    [few] Слишком много попыток. Попробуйте через { $count } секунды.
   *[other] Слишком много попыток. Попробуйте через { $count } секунд.
}
notice-throttled-minutes = { $count ->
    [one] Слишком много попыток. Попробуйте через { $count } минуту.
    [few] Слишком много попыток. Попробуйте через { $count } минуты.
   *[other] Слишком много попыток. Попробуйте через { $count } минут.
}
notice-busy = Сейчас входит много людей. Подождите несколько секунд и попробуйте ещё раз.
notice-reauthenticate = Введите пароль ещё раз, чтобы подтвердить, что это вы.
notice-stale = С начала входа прошло много времени. Если приложение вас не впустит, начните вход в нём заново.
notice-password-set = Пароль задан, везде произошёл выход. Войдите с новым паролем.

## Забытый пароль

login-forgot = Забыли пароль?
forgot-heading = Забыли пароль?
forgot-lead = Введите имя пользователя или адрес почты, и придёт письмо со ссылкой, по которой вы зададите новый пароль.
forgot-submit = Прислать ссылку
forgot-sent = Если такая учётная запись есть и её адрес подтверждён, письмо уже в пути. Ссылка из него действует час. Загляните и в спам.
forgot-back = Вернуться ко входу

mail-password-subject = { $client }: новый пароль
mail-password-lead = Кто-то, вероятно вы, попросил новый пароль на сайте { $client }.
mail-password-account = Ваше имя пользователя
mail-password-link = Откройте эту ссылку в течение часа и задайте новый пароль. Она действует один раз:
mail-password-ignore = Если это были не вы, ничего не делайте: пароль останется прежним.

## Новый пароль по ссылке

set-password-heading = Придумайте пароль
set-password-person = Учётная запись
set-password-hint = { $count ->
    [one] Не короче { $count } знака; хорошо подходят несколько не связанных слов. Везде произойдёт выход.
    [few] Не короче { $count } знаков; хорошо подходят несколько не связанных слов. Везде произойдёт выход.
   *[other] Не короче { $count } знаков; хорошо подходят несколько не связанных слов. Везде произойдёт выход.
}
set-password-submit = Задать пароль

## Согласие

consent-heading = Разрешить доступ к вашей учётной записи?
consent-lead = Если вы разрешите, { $client } сможет:
consent-note = Ответ для этого приложения запоминается.
consent-allow = Разрешить
consent-deny = Не разрешать
consent-other-account = Это не вы? Войти под другим именем

scope-openid = узнавать вас при следующем входе
scope-profile = видеть ваше имя, фото и другие сведения профиля
scope-email = видеть адрес вашей электронной почты
scope-address = видеть ваш почтовый адрес
scope-phone = видеть номер вашего телефона
scope-roles = видеть ваши роли в сообществе
scope-groups = видеть группы, в которых вы состоите
scope-offline-access = сохранять этот доступ, пока вас нет
scope-other = использовать разрешение «{ $scope }»

## Выход

logout-heading = Вы хотите выйти?
logout-lead = Вы выйдете в этом браузере. Приложения, которые уже открыты, могут помнить вас, пока вы не выйдете и из них.
logout-confirm = Выйти
logout-cancel = Остаться

logged-out-heading = Вы вышли
logged-out-lead = Эту страницу можно закрыть.
logged-out-again = Войти снова

## Передача ответа

form-post-heading = Переходим в приложение
form-post-lead = Это займёт мгновение.
form-post-button-lead = Браузер не выполняет здесь скрипты. Нажмите кнопку, чтобы продолжить.
form-post-button = Продолжить

## Начальная страница

home-heading-in = Вы вошли
home-lead-in = Приложения, которые используют этот вход, впустят вас без пароля.
home-heading-out = Вы не вошли
home-lead-out = Войдите один раз, и приложения, которые используют этот вход, впустят вас сами.
home-sign-in = Войти
home-sign-out = Выйти

## Учётная запись

home-account = Моя учётная запись
account-heading = Моя учётная запись
account-profile-heading = О вас
account-email = Почта
account-name = Имя, которое видят другие
account-locale = Язык
account-locale-browser = Как в браузере
account-save = Сохранить
account-password-heading = Пароль
account-old-password = Нынешний пароль
account-new-password = Новый пароль
account-password-hint = { $count ->
    [one] Не короче { $count } знака; хорошо подходят несколько не связанных слов. Здесь вы останетесь, а везде, кроме этого браузера, произойдёт выход.
    [few] Не короче { $count } знаков; хорошо подходят несколько не связанных слов. Здесь вы останетесь, а везде, кроме этого браузера, произойдёт выход.
   *[other] Не короче { $count } знаков; хорошо подходят несколько не связанных слов. Здесь вы останетесь, а везде, кроме этого браузера, произойдёт выход.
}
account-change-password = Сменить пароль
account-sessions-heading = Где вы вошли
account-this-browser = этот браузер
account-device-unknown = Неизвестное устройство
account-last-seen = последний раз
account-end = Выйти
account-end-of = Выйти: { $client }
account-everywhere = Выйти везде
account-consents-heading = Приложения с доступом
account-consents-none = Вы ничего не разрешали приложениям.
account-withdraw = Отозвать
account-withdraw-of = Отозвать доступ: { $client }
account-tokens-heading = Личные токены доступа
account-tokens-lead = Для программ, которые действуют от вашего имени и не могут войти сами. Смена пароля и выход везде отзывают все токены.
account-token-once = Ваш новый токен. Он показан только сейчас:
account-token-until = до
account-token-name = Для чего этот токен
account-token-scope = Что он позволяет
account-token-days = Сколько дней он действует
account-token-create = Создать токен
account-token-revoked = Этот токен больше не действует.
account-bad-token = Токен не создан: ему нужны имя и срок не больше 366 дней.
account-saved = Сохранено.
account-password-changed = Пароль изменён, во всех остальных местах произошёл выход.
account-session-ended = В том браузере произошёл выход.
account-withdrawn = У приложения больше нет доступа.
account-stale = Страница устарела или пришла с другого сайта, поэтому ничего не изменилось. Попробуйте ещё раз.
account-wrong-password = Нынешний пароль не подходит.
account-password-short = { $count ->
    [one] В новом пароле должен быть хотя бы { $count } знак.
    [few] В новом пароле должно быть хотя бы { $count } знака.
   *[other] В новом пароле должно быть хотя бы { $count } знаков.
}
account-password-long = Новый пароль слишком длинный.
account-password-guessable = Новый пароль легко угадать. Несколько не связанных слов угадать труднее, а запомнить легко.
account-bad-name = Имя не может быть таким.

## Ошибки

error-code-label = Код ошибки
error-reference-label = Номер для справки
error-report = Если это повторится, сообщите номер, указанный ниже, тем, кто ведёт этот сайт.
error-restart = Начать заново
error-home = На начальную страницу

error-unknown-client-heading = Такое приложение здесь не известно
error-unknown-client-hint = Ссылка, по которой вы пришли, называет незарегистрированное приложение. Вернитесь в приложение и сообщите об этом тем, кто его ведёт.
error-disabled-client-heading = Это приложение отключено
error-disabled-client-hint = Сейчас вход через этот сайт для приложения закрыт.
error-redirect-uri-mismatch-heading = Адрес возврата в приложение не совпадает
error-redirect-uri-mismatch-hint = Чтобы защитить вашу учётную запись, мы не переходим на адрес, который не зарегистрирован. Вы всё сделали верно: исправить нужно настройки приложения.
error-redirect-uri-missing-heading = Не указан адрес возврата в приложение
error-redirect-uri-missing-hint = Приложение не сообщило, куда вернуть вас после входа. Исправить нужно его настройки.
error-invalid-request-heading = Запрос не удалось понять
error-invalid-request-hint = В ссылке чего-то не хватает или она повреждена. Вернитесь в приложение и начните оттуда.
error-flow-broken-heading = Этот вход нельзя продолжить
error-flow-broken-hint = Ссылка неполная, устарела или уже использована. Вернитесь в приложение и начните оттуда.
error-link-dead-heading = Эта ссылка больше не действует
error-link-dead-hint = Она уже использована, устарела или неполная. Попросите новую.
error-csrf-heading = Эту страницу нужно открыть заново
error-csrf-hint = Форма пришла с другой или со старой страницы, поэтому ничего не изменилось. Начните заново, и всё получится.
error-throttled-heading = Слишком много попыток
error-throttled-hint = Немного подождите и попробуйте ещё раз.
error-server-error-heading = Ошибка на нашей стороне
error-server-error-hint = Вы ни в чём не ошиблись. Попробуйте через минуту.
error-temporarily-unavailable-heading = Сервис временно недоступен
error-temporarily-unavailable-hint = Ничего не потеряно. Попробуйте через минуту.
error-not-found-heading = Такой страницы нет
error-not-found-hint = Проверьте адрес или начните с начальной страницы.
error-method-not-allowed-heading = Так эту страницу открыть нельзя
error-method-not-allowed-hint = Откройте её по ссылке или вернитесь в приложение и начните оттуда.
error-too-large-heading = Запрос слишком большой
error-too-large-hint = Прислано больше, чем принимает эта страница. Вернитесь в приложение и начните оттуда.
error-access-denied-heading = В доступе отказано
error-access-denied-hint = С учётной записью, под которой вы вошли, это открыть нельзя.
error-other-heading = Не получилось
error-other-hint = Вернитесь в приложение и начните оттуда.
chat-frame-heading = Вход в чат
chat-frame-lead-in = Вы вошли. Чат сейчас откроется.
chat-frame-lead-first = Вы вошли. В первый раз чат создаёт вашу учётную запись: откройте его один раз этой кнопкой.
chat-frame-first = Открыть чат
chat-frame-lead-out = У чата и сайта общая учётная запись. Для входа откроется окно, которое закроется само.
chat-frame-sign-in = Войти
