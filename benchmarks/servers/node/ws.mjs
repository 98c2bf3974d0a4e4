// Channels by hand on Node and ws: as much of Phoenix's protocol (V2) as the loads ask for.
//
//     node benchmarks/servers/node/ws.mjs --port=4200
import { parseArgs } from "node:util"
import { WebSocketServer } from "ws"

const { values } = parseArgs({ options: { port: { type: "string", default: "4200" } } })
const members = new Map() // topic -> its connections

new WebSocketServer({ host: "127.0.0.1", port: Number(values.port), perMessageDeflate: false }).on("connection", socket => {
  const joined = new Set()
  socket.on("message", data => {
    const [joinRef, ref, topic, event, payload] = JSON.parse(data)
    if (event === "shout") {
      const message = JSON.stringify([null, null, topic, event, payload])
      for (const member of members.get(topic)) member.send(message)
      return
    }
    if (event === "phx_join") {
      if (!members.has(topic)) members.set(topic, new Set())
      members.get(topic).add(socket)
      joined.add(topic)
    }
    socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: payload }]))
  })
  socket.on("close", () => joined.forEach(topic => members.get(topic).delete(socket)))
  socket.on("error", () => socket.terminate())
})
