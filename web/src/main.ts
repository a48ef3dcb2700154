import './styles/main.css';
import { PiniaColada } from '@pinia/colada';
import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './app.vue';
import { i18n, startLocale } from './locale.ts';
import { router } from './router.ts';
import { startTheme } from './theme.ts';

startTheme();
await startLocale();
createApp(App).use(createPinia()).use(PiniaColada, {}).use(i18n).use(router).mount('#app');
