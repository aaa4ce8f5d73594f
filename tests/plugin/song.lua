-- What a musician does in Ardour, by the words of WHAT: make a song (a track with the plug-in, a tempo, automation),
-- save it, load it, wait for two seconds; any other word exports it under that name.
local folder, rate = os.getenv("FOLDER"), 48000
-- A parameter's port, and its place among the control inputs.
local function number(ins, label)
  local plug, place = ins:plugin(0), 0
  for port = 0, plug:parameter_count() - 1 do
    if plug:parameter_is_control(port) and plug:parameter_is_input(port) then
      if plug:parameter_label(port) == label then return port, place end
      place = place + 1
    end
  end
  error("there is no parameter " .. label)
end
local function set(ins, label, value)
  local _, place = number(ins, label)
  assert(ARDOUR.LuaAPI.set_plugin_insert_param(ins, place, value), label)
end
local function export(name)
  local one = Session:simple_export()
  one:set_name(name)
  one:set_folder(folder)
  assert(one:set_preset(os.getenv("PRESET")), "no preset")
  one:set_range(0, 2 * rate)
  assert(one:run_export(), "export " .. name)
end
function make()
  Session = create_session(folder .. "/song", "song", rate)
  local tempo = Temporal.TempoMap.fetch_writable()
  tempo:set_tempo(Temporal.Tempo(124, 124, 4), Temporal.timepos_t(0))
  Temporal.TempoMap.update(tempo)
  local last, normal = ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal
  local track = Session:new_audio_track(2, 2, nil, 1, "music", last, normal, true):front()
  local p = ARDOUR.LuaAPI.new_plugin(Session, "urn:musicgen-streamer:plugin", ARDOUR.PluginType.LV2, "")
  assert(not p:isnil(), "no plug-in")
  assert(track:add_processor_by_index(p, 0, nil, true) == 0)
  local ins = p:to_insert()
  set(ins, "Seed", 5)
  set(ins, "Transport", 2)
  set(ins, "Follow host tempo", 1)
  local volume = Evoral.Parameter(ARDOUR.AutomationType.PluginAutomation, 0, (number(ins, "Volume")))
  local control = p:to_automatable():automation_control(volume, true)
  local list = control:alist()
  for _, at in ipairs({ { 0, 0 }, { 1, 0 }, { 1.01, -40 }, { 2, -40 } }) do
    list:add(Temporal.timepos_t(math.floor(at[1] * rate)), at[2], false, true)
  end
  control:set_automation_state(ARDOUR.AutoState.Play)
end
for word in os.getenv("WHAT"):gmatch("%S+") do
  if word == "make" then make()
  elseif word == "load" then Session = load_session(folder .. "/song", "song")
  elseif word == "save" then Session:save_state("")
  elseif word == "wait" then ARDOUR.LuaAPI.usleep(2000000)
  else export(word) end
end
print("all is done")
io.stdout:flush()
close_session()
