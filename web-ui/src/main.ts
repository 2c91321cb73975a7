import { mount } from 'svelte'
import './app.css'
import App from './App.svelte'
import { box } from './state/box.svelte'

box.start()

const target = document.getElementById('app')
if (target !== null) mount(App, { target })
